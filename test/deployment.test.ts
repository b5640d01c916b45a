/**
 * `ops/systemd`, `ops/container` and `ops/kubernetes`, as far as that can be told without a systemd, a
 * container engine and a cluster: commands, flags and variables are mx8's and take the values that stand
 * there, files that are named are there, fields are known. When they were written the manifests were also
 * held against the API's schemas (kubernetes-models 5.1), and the steps of the image were carried out by
 * hand. `systemd-analyze verify` is in test/integration/ops.test.ts.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';

import { COMMON_FLAGS } from '../src/cli/options.ts';
import { parseCommandLine } from '../src/cli/parse-command-line.ts';
import { COMMANDS as ENTRIES } from '../src/cli/registry.ts';
import { misfits } from './support/kubernetes-shape.ts';
import { exists, readText } from './support/tidy/sources.ts';

const COMMANDS = await Promise.all(ENTRIES.map((entry) => entry.load()));
const VERSION = (JSON.parse(readText('package.json')) as { readonly version: string }).version;

/** Parses as the command would, and demands that each variable is one that it reads. */
function assertTaken(
  words: readonly string[],
  environment: Readonly<Record<string, string>>,
): void {
  const [name = '', ...argv] = words;
  const command = COMMANDS.find((one) => one.name === name);
  assert(command !== undefined, `mx8 has a command ${name}`);
  parseCommandLine(command, argv, environment);
  const read = [...Object.values(command.flags), ...COMMON_FLAGS].map(({ variable }) => variable);
  for (const variable of Object.keys(environment).filter((one) => one.startsWith('MX8_'))) {
    assert(read.includes(variable), `mx8 ${name} reads ${variable}`);
  }
}

/** `NAME=value` of each line. */
function asEnvironment(lines: readonly string[]): Readonly<Record<string, string>> {
  const pairs = lines.map((line): readonly [string, string] => {
    const [, name = line, value = ''] = /^(\w+)=(.+)$/.exec(line) ?? [];
    return [name, value];
  });
  return Object.fromEntries(pairs);
}

function environmentOf(path: string): Readonly<Record<string, string>> {
  const lines = readText(path).split('\n');
  return asEnvironment(lines.filter((line) => line !== '' && !line.startsWith('#')));
}

for (const [unit, settings] of [
  ['mx8-coordinator.service', 'coordinator.env'],
  ['mx8-agent@.service', 'agent-embed.env'],
] as const) {
  test(`${unit} starts a command of mx8 with settings that it takes`, () => {
    const text = readText(`ops/systemd/${unit}`);
    const value = (key: string): readonly string[] =>
      [...text.matchAll(new RegExp(`^${key}=(.+)$`, 'gm'))].map((match) => match[1] ?? '');
    const [command = ''] = value('ExecStart');
    const words = command.split(' ');
    assert.equal(words.shift(), '/opt/mx8/node_modules/.bin/mx8');
    const fixed = asEnvironment(value('Environment').map((pair) => pair.replace('%H', 'host')));
    assertTaken(words, { ...environmentOf(`ops/systemd/${settings}`), ...fixed });
    assert.deepEqual(value('EnvironmentFile'), [`/etc/mx8/${settings.replace('embed', '%i')}`]);
  });
}

const INSTRUCTIONS = /^(FROM|WORKDIR|COPY|RUN|ENV|USER|EXPOSE|ENTRYPOINT|CMD) \S/;

test('the container file copies what is there and starts mx8 by a user that is not root', () => {
  const lines = readText('ops/container/Dockerfile')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  assert.deepEqual(
    lines.filter((line) => !INSTRUCTIONS.test(line)),
    [],
  );
  assert(lines[0]?.startsWith('FROM '));
  const stages = lines.flatMap((line) => /^FROM \S+ AS (\w+)$/.exec(line)?.[1] ?? []);
  for (const line of lines.filter((one) => one.startsWith('COPY '))) {
    const [from, ...paths] = line.split(' ').slice(1);
    const stage = /^--from=(\w+)$/.exec(from ?? '')?.[1];
    if (stage !== undefined) assert(stages.includes(stage), line);
    else for (const path of [from ?? '', ...paths.slice(0, -1)]) assert(exists(path), path);
  }
  const last = (instruction: string): string =>
    lines.findLast((line) => line.startsWith(`${instruction} `))?.slice(instruction.length + 1) ??
    '';
  assert.equal(last('USER'), 'node');
  assert.deepEqual(JSON.parse(last('ENTRYPOINT')), ['node', '/opt/mx8/bin/mx8.js']);
  assert.deepEqual(JSON.parse(last('CMD')), ['--help']);
  assert(exists('bin/mx8.js') && exists('scripts/build-package.ts'));
  const major = Number(/^FROM node:(\d+)/.exec(lines[0] ?? '')?.[1]);
  assert(major >= 24, 'no Node has to be brought along');
});

interface Container {
  readonly name: string;
  readonly image: string;
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly volumeMounts: readonly { readonly name: string }[];
  readonly ports?: readonly { readonly name: string }[];
}

interface Manifest {
  readonly kind: string;
  readonly spec: {
    readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> };
    readonly template?: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> };
      readonly spec: {
        readonly containers: readonly Container[];
        readonly initContainers?: readonly Container[];
        readonly volumes: readonly { readonly name: string }[];
      };
    };
  };
}

function manifestsOf(file: string): readonly Manifest[] {
  return parseAllDocuments(readText(`ops/kubernetes/${file}`)).map((document) => {
    assert.deepEqual(document.errors, [], file);
    return document.toJS() as Manifest;
  });
}

for (const file of ['coordinator.yaml', 'job.yaml']) {
  test(`${file} has known fields only, and containers that mx8 starts`, () => {
    const manifests = manifestsOf(file);
    assert.deepEqual(manifests.flatMap(misfits), []);
    const pods = manifests.flatMap(({ spec: { template } }) => template ?? []);
    assert.equal(pods.length, 1);
    for (const { spec, metadata } of pods) {
      const volumes = spec.volumes.map(({ name }) => name);
      for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
        const { args, env, image, volumeMounts } = container;
        assert.equal(image, `mx8:${VERSION}`);
        const given = env.map(({ name, value = 'a-pod' }) => {
          return [name, value.replace('$(POD_NAME)', 'a-pod')] as const;
        });
        const forTheCommand = given.filter(([name]) => isRead(args[0] ?? '', name));
        assertTaken(args, Object.fromEntries(forTheCommand));
        for (const { name } of volumeMounts) assert(volumes.includes(name), `volume ${name}`);
      }
      for (const { kind, spec: other } of manifests) {
        if (kind !== 'PodDisruptionBudget') continue;
        for (const [label, value] of Object.entries(other.selector?.matchLabels ?? {})) {
          assert.equal(metadata.labels[label], value, 'the budget is for these pods');
        }
      }
    }
  });
}

/** Containers of one pod share their variables; each is one that some command of the pod reads. */
function isRead(command: string, variable: string): boolean {
  const shared = ['agent', 'submit'].includes(command) ? ['agent', 'submit'] : [command];
  const reads = (name: string): boolean =>
    COMMANDS.some((one) => {
      return (
        one.name === name && Object.values(one.flags).some((flag) => flag.variable === variable)
      );
    });
  assert(variable === 'POD_NAME' || shared.some(reads), `${shared.join(' or ')} reads ${variable}`);
  return reads(command);
}

test('a misspelt, a misplaced and a missing field, and a value of another type, are found', () => {
  const [service] = manifestsOf('coordinator.yaml').filter(({ kind }) => kind === 'Service');
  assert(service !== undefined);
  const changed = (change: (spec: Record<string, unknown>) => void): readonly string[] => {
    const copy = structuredClone(service);
    change(copy.spec);
    return misfits(copy);
  };
  assert.deepEqual(
    changed((spec) => (spec['selektor'] = spec['selector'])),
    ['Service.spec.selektor is not known'],
  );
  assert.deepEqual(
    changed((spec) => delete spec['selector']),
    ['Service.spec.selector is missing'],
  );
  assert.deepEqual(
    changed((spec) => (spec['ports'] = [{ name: 'grpc', port: 70_000 }])),
    ['Service.spec.ports[0].port: 70000 does not fit'],
  );
});
