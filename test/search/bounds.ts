import type { Mutation, MutationEdit } from '../support/mutations/mutation-loader.ts';
import type { Bounds } from './world.ts';

export interface NamedBounds {
  readonly name: string;
  readonly bounds: Bounds;
  /** Other limits than the log has, so that small worlds meet what large payloads do. */
  readonly shape: Mutation | null;
}

/** Every payload that is not empty goes to parts. */
export const PARTED: MutationEdit = {
  file: 'src/core/log/limits.ts',
  find: 'INLINE_BYTES_MAX: number = 256 * 1024',
  replace: 'INLINE_BYTES_MAX: number = 0',
};

const IN_PARTS: Mutation = { name: 'payloads-in-parts', breaks: 'nothing', edits: [PARTED] };

const NO_FAULT = { unknowns: 0, crashes: 0, payloadBytes: 1 } as const;
const TRIMMED = { ...NO_FAULT, snapshots: 1, trims: 1 } as const;

/** Some seconds: part of every check. */
export const QUICK_BOUNDS: readonly NamedBounds[] = [
  {
    name: 'two writers, a snapshot, a trim and an outcome that stays unknown',
    shape: null,
    bounds: { ...TRIMMED, writers: 2, claims: 2, appends: 1, unknowns: 1 },
  },
  {
    name: 'a payload in parts, a trim and a crash',
    shape: IN_PARTS,
    bounds: { ...TRIMMED, writers: 1, claims: 2, appends: 1, unknowns: 1, crashes: 1 },
  },
];

/** More than a million states in all. */
export const FULL_BOUNDS: readonly NamedBounds[] = [
  {
    name: 'two writers, two appends, two unknown outcomes',
    shape: null,
    bounds: { ...TRIMMED, writers: 2, claims: 2, appends: 2, unknowns: 2 },
  },
  {
    name: 'two writers, two snapshots, two trims',
    shape: null,
    bounds: { ...NO_FAULT, writers: 2, claims: 2, appends: 2, snapshots: 2, trims: 2, unknowns: 1 },
  },
  {
    name: 'two writers, three claims, a crash',
    shape: null,
    bounds: { ...TRIMMED, writers: 2, claims: 3, appends: 1, unknowns: 1, crashes: 1 },
  },
  {
    name: 'three writers whose entries all have the same bytes',
    shape: null,
    bounds: {
      ...NO_FAULT,
      writers: 3,
      claims: 3,
      appends: 1,
      snapshots: 1,
      trims: 0,
      unknowns: 1,
      payloadBytes: 0,
    },
  },
  {
    name: 'two writers, payloads in parts',
    shape: IN_PARTS,
    bounds: { ...TRIMMED, writers: 2, claims: 2, appends: 1, unknowns: 1 },
  },
];
