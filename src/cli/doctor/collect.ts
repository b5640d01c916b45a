/** Looks at everything that `mx8 doctor` judges; within a few seconds, whatever is away. */
import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

import { isLoopback } from '../../core/base/bind-address.ts';
import { Mx8Error } from '../../core/base/errors.ts';
import { jobId } from '../../core/base/units.ts';
import type { JobSnapshot } from '../../core/job/protocol.ts';
import { readMemoryLimits } from '../../platform/cgroup.ts';
import { networkFileSystem } from '../../platform/network-file-system.ts';
import { isRemote } from '../../storage/places.ts';
import type { CoordinatorEvidence } from '../../view/diagnose-coordinators.ts';
import type { JobEvidence } from '../../view/diagnose-job.ts';
import type { FolderEvidence, MachineEvidence } from '../../view/diagnose-machine.ts';
import { EMPTY_HISTORY, lookAt } from '../../view/job-view.ts';
import { allLeases, type ViewLimits } from '../../view/looks.ts';
import type { GrpcCoordinatorClient } from '../../wire/grpc-coordinator-client.ts';
import { type ClientOptions, openClient } from '../client.ts';
import type { CommandIo } from '../command-io.ts';

/** How long anything may take to answer. */
const CALL_TIMEOUT_MS = 1500;

/** Between two looks at a job, so that a rate can be told. */
const LOOK_INTERVAL_MS = 500;

/** Samples of the manifest that are asked for, to see that it is served. */
const MANIFEST_SAMPLES = 16;

export interface Surroundings extends ClientOptions {
  readonly jobId: string | null;
  readonly manifestStoreRoot: string | null;
  readonly limits: ViewLimits;
}

export async function collectCoordinators(
  surroundings: Surroundings,
  io: CommandIo,
): Promise<readonly CoordinatorEvidence[]> {
  const addresses = surroundings.coordUrl.split(',').map((address) => address.trim());
  return Promise.all(
    addresses.map((address) => askOne(address, { ...surroundings, coordUrl: address }, io)),
  );
}

async function askOne(
  address: string,
  options: ClientOptions,
  io: CommandIo,
): Promise<CoordinatorEvidence> {
  const client = openClient(options, io, { callTimeoutMs: CALL_TIMEOUT_MS });
  const { clock } = io;
  try {
    const sentUnixMs = clock.unixMs();
    const view = await client.anyCoordinator();
    const halfTripMs = (clock.unixMs() - sentUnixMs) / 2;
    const { role, leader, epoch, tailSeq, version, candidates, webUrl, storeError } = view;
    const clockAheadMs = view.serverUnixMs - sentUnixMs - halfTripMs;
    const leaderAddress = leader?.address ?? null;
    const known = { role, leaderAddress, epoch, tailSeq, version, candidates, storeError };
    const answer = { ...known, clockAheadMs };
    return { address, answer, error: '', page: await pageOf(webUrl, address) };
  } catch (error) {
    return { address, answer: null, error: messageOf(error), page: null };
  } finally {
    await client.close();
  }
}

/** Whether its page can be had from here; null where it shows none, or only to others than this machine. */
async function pageOf(
  webUrl: string | null,
  address: string,
): Promise<CoordinatorEvidence['page']> {
  const url = webUrl === null ? null : URL.parse(webUrl);
  // Over TLS it may be for those only who show a certificate.
  if (url === null || url.protocol !== 'http:') return null;
  if (isLoopback(url.hostname) && !isLoopback(hostOf(address))) return null;
  try {
    const signal = AbortSignal.timeout(CALL_TIMEOUT_MS);
    const { status } = await fetch(new URL('healthz', url), { signal });
    return { url: url.href, error: status === 200 ? '' : `it answers with ${status}` };
  } catch (error) {
    const cause = error instanceof Error ? (error.cause ?? error) : error;
    return { url: url.href, error: messageOf(cause) };
  }
}

function hostOf(address: string): string {
  return address.replace(/^\w+:\/\//, '').replace(/:\d+$/, '');
}

/** Every job, or the one that was named; empty when nobody leads. */
export async function collectJobs(
  surroundings: Surroundings,
  io: CommandIo,
): Promise<{ readonly jobs: readonly JobEvidence[]; readonly error: string }> {
  const client = openClient(surroundings, io, { callTimeoutMs: CALL_TIMEOUT_MS });
  try {
    const first = await snapshots(client, surroundings);
    const firstMs = io.clock.nowMs();
    await io.clock.sleep(LOOK_INTERVAL_MS, io.signal);
    const second = await snapshots(client, surroundings);
    const jobs = second.map(async (snapshot): Promise<JobEvidence> => {
      const before = first.find((one) => one.spec.jobId === snapshot.spec.jobId) ?? snapshot;
      const { history } = lookAt(before, firstMs, EMPTY_HISTORY, surroundings.limits);
      const { view } = lookAt(snapshot, io.clock.nowMs(), history, surroundings.limits);
      const target = `--coord-url ${surroundings.coordUrl} --job-id ${snapshot.spec.jobId}`;
      return { snapshot, view, target, manifestError: await manifestError(client, snapshot) };
    });
    return { jobs: await Promise.all(jobs), error: '' };
  } catch (error) {
    io.signal.throwIfAborted();
    return { jobs: [], error: messageOf(error) };
  } finally {
    await client.close();
  }
}

async function snapshots(
  client: GrpcCoordinatorClient,
  { jobId: name, limits }: Surroundings,
): Promise<readonly JobSnapshot[]> {
  const ids =
    name === null ? (await client.listJobs()).map(({ spec }) => spec.jobId) : [jobId(name)];
  return Promise.all(ids.map((id) => client.snapshot(id, allLeases(limits))));
}

async function manifestError(
  client: GrpcCoordinatorClient,
  { spec }: JobSnapshot,
): Promise<string> {
  try {
    const end = Math.min(MANIFEST_SAMPLES, spec.sampleCount);
    await client.manifestRecords(spec.jobId, spec.manifestHash, 0, end);
    return '';
  } catch (error) {
    return messageOf(error);
  }
}

export function collectMachine({ manifestStoreRoot }: Surroundings): MachineEvidence {
  const { cgroupV2Bytes, cgroupV1Bytes, machineBytes } = readMemoryLimits();
  const home = join(homedir(), '.mx8');
  return {
    nodeVersion: process.version,
    memoryBytes: Math.min(cgroupV2Bytes ?? Infinity, cgroupV1Bytes ?? Infinity, machineBytes),
    folders: [
      ...(manifestStoreRoot !== null && isRemote(manifestStoreRoot)
        ? [folderOf('copies of manifests', join(home, 'manifest-cache'), '--manifest-store')]
        : [
            folderOf(
              'manifest store',
              manifestStoreRoot ?? join(home, 'manifests'),
              '--manifest-store',
            ),
          ]),
      folderOf('coordinator state', join(home, 'coordinator'), '--state'),
    ],
  };
}

function folderOf(what: string, path: string, flag: string): FolderEvidence {
  // What is not there yet will be made in the first folder above it that is.
  let there = path;
  while (!existsSync(there) && dirname(there) !== there) there = dirname(there);
  try {
    accessSync(there, constants.R_OK | constants.W_OK | constants.X_OK);
    const { bavail, bsize } = statfsSync(there);
    const sharedOn = networkFileSystem(there);
    return { what, path, flag, error: '', freeBytes: bavail * bsize, sharedOn };
  } catch (error) {
    return { what, path, flag, error: messageOf(error), freeBytes: null, sharedOn: null };
  }
}

function messageOf(error: unknown): string {
  if (error instanceof Mx8Error) return error.message;
  return error instanceof Error ? error.message : String(error);
}
