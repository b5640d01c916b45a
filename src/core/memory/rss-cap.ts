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
