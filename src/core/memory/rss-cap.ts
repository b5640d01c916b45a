/** The most resident memory a process may have: what was asked for, else what the machine allows. */
import { RSS_PART_OF_CGROUP, RSS_PART_OF_MACHINE } from './limits.ts';

/** What the platform says; null where there is no such limit. */
export interface MemoryReadings {
  readonly cgroupV2Bytes: number | null;
  readonly cgroupV1Bytes: number | null;
  readonly machineBytes: number;
}

export type RssCapSource =
  'max_ram_bytes' | 'max_process_rss_bytes' | 'cgroup_v2' | 'cgroup_v1' | 'machine';

export interface RssCap {
  readonly capBytes: number;
  readonly source: RssCapSource;
  /** True when nobody asked for it; then the shell logs `rss_cap_defaulted`. */
  readonly derived: boolean;
}

export interface RssCapWanted {
  readonly maxRamBytes: number | null;
  readonly maxProcessRssBytes: number | null;
  /** How many processes share what is derived; 1 unless a command starts several. */
  readonly processes?: number;
}

/** The smaller of the caps asked for; without any, part of the smallest limit found. */
export function effectiveRssCap(wanted: RssCapWanted, readings: MemoryReadings): RssCap {
  const asked: RssCap[] = [];
  const ask = (capBytes: number | null, source: RssCapSource): void => {
    if (capBytes !== null) asked.push({ capBytes, source, derived: false });
  };
  ask(wanted.maxRamBytes, 'max_ram_bytes');
  ask(wanted.maxProcessRssBytes, 'max_process_rss_bytes');
  const smallestAsked = smallest(asked);
  if (smallestAsked !== null) return smallestAsked;

  const shareOf = (bytes: number, part: number): number =>
    Math.max(1, Math.floor((bytes * part) / (wanted.processes ?? 1)));
  const machine: RssCap = {
    capBytes: shareOf(readings.machineBytes, RSS_PART_OF_MACHINE),
    source: 'machine',
    derived: true,
  };
  const found: RssCap[] = [];
  const find = (bytes: number | null, source: RssCapSource): void => {
    // A group whose limit is the machine or more (v1 says 2^63 for "none") does not limit.
    if (bytes === null || bytes >= readings.machineBytes) return;
    found.push({ capBytes: shareOf(bytes, RSS_PART_OF_CGROUP), source, derived: true });
  };
  find(readings.cgroupV2Bytes, 'cgroup_v2');
  find(readings.cgroupV1Bytes, 'cgroup_v1');
  return smallest([...found, machine]) ?? machine;
}

function smallest(caps: readonly RssCap[]): RssCap | null {
  return caps.reduce<RssCap | null>(
    (least, cap) => (least === null || cap.capBytes < least.capBytes ? cap : least),
    null,
  );
}

/** Whose limit a cap is derived from, in words. */
export function sourceText(source: RssCapSource): string {
  if (source === 'cgroup_v1' || source === 'cgroup_v2') return 'the control group of this process';
  return source === 'machine' ? 'this machine' : `--${source.replaceAll('_', '-')}`;
}

/**
 * The fields of the event `memory_cap_above_limit`: a cap that was asked for, above what there is. The kernel ends
 * processes before such a cap does anything. Null where it fits.
 */
export function capAboveLimit(
  asked: { readonly name: string; readonly bytes: number | null },
  readings: MemoryReadings,
): Readonly<Record<string, string | number>> | null {
  const { cgroupV2Bytes, cgroupV1Bytes, machineBytes } = readings;
  const limits = [
    [cgroupV2Bytes, 'cgroup_v2'],
    [cgroupV1Bytes, 'cgroup_v1'],
    [machineBytes, 'machine'],
  ] as const;
  const least = Math.min(...limits.map(([bytes]) => bytes ?? Infinity));
  const source = limits.find(([bytes]) => bytes === least)?.[1] ?? 'machine';
  if (asked.bytes === null || asked.bytes <= least) return null;
  const message = `${asked.name} is ${asked.bytes} bytes, more than the ${least} that ${sourceText(source)} has: the kernel ends processes (SIGKILL) before that cap is reached; lower it, or give it more memory`;
  return { cap_bytes: asked.bytes, limit_bytes: least, source, message };
}

/** The fields of the event `rss_cap_defaulted`. */
export function rssCapFields(cap: RssCap): Readonly<Record<string, string | number>> {
  return { max_process_rss_bytes: cap.capBytes, source: cap.source };
}

/** What a person can turn down when the cap is reached, as it is now. */
export interface RssKnobs {
  readonly maxInflightBytes: number;
  readonly prefetchBatches: number;
  readonly maxQueueBatches: number;
  readonly want: number | null;
}

/** The sentence of `rss_cap_exceeded`. Its first words are what operators search for. */
export function rssBreachMessage(rssBytes: number, capBytes: number, knobs: RssKnobs): string {
  const parts = [
    `max_inflight_bytes (now ${knobs.maxInflightBytes})`,
    `prefetch_batches (now ${knobs.prefetchBatches})`,
    `max_queue_batches (now ${knobs.maxQueueBatches})`,
    ...(knobs.want === null ? [] : [`want (now ${knobs.want})`]),
  ];
  return (
    `process rss ${rssBytes} exceeds max_process_rss_bytes ${capBytes}; ` +
    `turn down ${parts.join(', ')}, or raise the cap`
  );
}
