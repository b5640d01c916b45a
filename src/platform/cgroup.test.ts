import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readMemoryLimits } from './cgroup.ts';

const GIB = 1024 ** 3;

function machine(files: Readonly<Record<string, string>>): (path: string) => string | null {
  const all: Readonly<Record<string, string>> = {
    '/proc/meminfo': 'MemTotal:       16777216 kB\nMemFree:  1 kB\n',
    ...files,
  };
  return (path) => all[path] ?? null;
}

test('a version 2 group is held to the smallest limit above it', () => {
  const limits = readMemoryLimits(
    machine({
      '/proc/self/cgroup': '0::/pod/box\n',
      '/sys/fs/cgroup/pod/box/memory.max': 'max\n',
      '/sys/fs/cgroup/pod/memory.max': String(2 * GIB),
      '/sys/fs/cgroup/memory.max': String(4 * GIB),
    }),
  );
  assert.deepEqual(limits, {
    cgroupV2Bytes: 2 * GIB,
    cgroupV1Bytes: null,
    machineBytes: 16 * GIB,
  });
});

test('a version 1 group inside a container, where only its root can be seen', () => {
  const limits = readMemoryLimits(
    machine({
      '/proc/self/cgroup': '9:name=systemd:/\n4:cpu,memory:/docker/abc\n0::/\n',
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': '1073741824\n',
    }),
  );
  assert.equal(limits.cgroupV1Bytes, GIB);
  assert.equal(limits.cgroupV2Bytes, null);
});

test('without control groups only the machine counts', () => {
  const limits = readMemoryLimits(machine({}));
  assert.deepEqual(limits, {
    cgroupV2Bytes: null,
    cgroupV1Bytes: null,
    machineBytes: 16 * GIB,
  });
});

test('the limits of this very machine can be read', () => {
  assert.ok(readMemoryLimits().machineBytes > 64 * 1024 ** 2);
});
