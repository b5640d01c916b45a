/** Everything a frame is drawn from. */
import type { MonoMs } from '../core/base/units.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import type { Watched } from './job-watch.ts';
import type { UiState } from './ui-state.ts';

/** The manifest as the screen has it now. */
export interface ManifestModel {
  /** `waiting`: which manifest it is will be known with the first answer. */
  readonly state: 'waiting' | 'opening' | 'ready' | 'failed';
  readonly origin: string;
  readonly hash: string;
  readonly sampleCount: number;
  /** Why it failed, or why a page is missing; '' otherwise. */
  readonly failure: string;
  /** Something the operator should know of it, such as another hash than the job's. */
  readonly warning: string;
  /** What is under way: indexing, searching. */
  readonly activity: string;
  /** First of the rows below. */
  readonly top: number;
  /** The rows that are in sight; null where they are on their way. */
  readonly rows: readonly (SampleRecord | null)[];
}

export const NO_MANIFEST: ManifestModel = {
  state: 'waiting',
  origin: '',
  hash: '',
  sampleCount: 0,
  failure: '',
  warning: '',
  activity: '',
  top: 0,
  rows: [],
};

export interface TuiModel {
  /** Where the coordinator is, as it was typed. */
  readonly target: string;
  readonly watched: Watched;
  readonly manifest: ManifestModel;
  readonly ui: UiState;
  readonly nowMs: MonoMs;
  readonly pollMs: number;
}

/** The number of rows in each list of the screen. */
export function listLength(model: TuiModel, tab: UiState['tab']): number {
  const { look, events } = model.watched;
  switch (tab) {
    case 'nodes':
      return look?.view.nodes.length ?? 0;
    case 'leases':
      return look?.view.leaseFigures.count ?? 0;
    case 'manifest':
      return model.manifest.sampleCount;
    case 'events':
      return events.length;
    case 'overview':
      return 0;
    default:
      return tab satisfies never;
  }
}
