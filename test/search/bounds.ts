import type { Bounds } from './world.ts';

export interface NamedBounds {
  readonly name: string;
  readonly bounds: Bounds;
}

/** Some seconds: part of every check. */
export const QUICK_BOUNDS: readonly NamedBounds[] = [
  {
    name: 'two writers, an unknown outcome, a snapshot and a trim',
    bounds: {
      writers: 2,
      claims: 2,
      appends: 1,
      snapshots: 1,
      trims: 1,
      unknowns: 1,
      crashes: 0,
      payloadBytes: 1,
    },
  },
];

/** More than a million states; about a minute on one quiet core. */
export const FULL_BOUNDS: readonly NamedBounds[] = [];
