/** Whose an output folder is: the claim in `_mx8/job.json`, checked before anything is written. */
import { mkdtemp, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Mx8Error } from '../core/base/errors.ts';
import { isId, isManifestHash, jobId, type JobId, type ManifestHash } from '../core/base/units.ts';
import { makeFolder, readIfThere, removeTree, writeWholeOnce } from '../storage/local-output.ts';
import { errnoOf, outputError, writing } from '../storage/output-error.ts';
import { hashFile } from './hash-file.ts';
import { claimPath, manifestPath, metaFolder } from './output-paths.ts';

/** What makes two runs the same job as far as the output folder is concerned. */
export interface OutputClaim {
  readonly jobId: JobId;
  readonly inputManifestHash: ManifestHash;
  /** `kind` of the sink. */
  readonly sink: string;
  /** Name of the job, and its input as it was typed; null where the one who claimed did not know. */
  readonly jobName: string | null;
  readonly input: string | null;
}

/** Begins the names of folders that a claim works in. */
const SCRATCH_PREFIX = 'claim-';

export type OutputState =
  /** Not there, or empty. */
  | { readonly type: 'free' }
  /** `outputManifestHash` is set once the output is complete. */
  | {
      readonly type: 'job';
      readonly claim: OutputClaim;
      readonly outputManifestHash: ManifestHash | null;
    }
  /** It holds something that no MX8 job put there; `example` names one entry. */
  | { readonly type: 'foreign'; readonly example: string };

export async function inspectOutput(out: string): Promise<OutputState> {
  checkLocal(out);
  const claimed = await readClaim(out);
  if (claimed !== null) return claimed;
  const example = await firstEntry(out);
  if (example === null) return { type: 'free' };
  // A claim is the first thing that is written. What is there now may have come with one since we looked.
  return (await readClaim(out)) ?? { type: 'foreign', example };
}

async function readClaim(out: string): Promise<OutputState | null> {
  const bytes = await writing('read', claimPath(out), () => readIfThere(claimPath(out)));
  if (bytes === null) return null;
  const claim = decodeClaim(bytes.toString(), claimPath(out));
  return { type: 'job', claim, outputManifestHash: await hashFile(manifestPath(out)) };
}

/**
 * Makes the folder this job's, or finds that it is already; `output_occupied` when it is another's.
 * Safe to call from any number of processes at once. True when the job was there before.
 */
export async function claimOutput(out: string, claim: OutputClaim): Promise<boolean> {
  const state = await inspectOutput(out);
  if (state.type === 'foreign') throw foreign(out, state.example);
  if (state.type === 'job') {
    checkSame(out, state.claim, claim);
    return true;
  }
  await makeFolder(metaFolder(out));
  const path = claimPath(out);
  if (await writeClaim(out, path, encodeClaim(claim))) return false;
  const other = await writing('read', path, () => readIfThere(path));
  if (other !== null) checkSame(out, decodeClaim(other.toString(), path), claim);
  return true;
}

/** In a scratch folder of its own, as several processes may claim the folder at once. */
async function writeClaim(out: string, path: string, text: string): Promise<boolean> {
  const prefix = join(metaFolder(out), SCRATCH_PREFIX);
  const scratch = await writing('write', path, () => mkdtemp(prefix));
  try {
    return await writeWholeOnce(path, join(scratch, 'job.json'), text);
  } finally {
    await removeTree(scratch);
  }
}

function encodeClaim(claim: OutputClaim): string {
  const { jobId: id, inputManifestHash, sink, jobName, input } = claim;
  const fields = {
    schema_version: 1,
    job_id: id,
    input_manifest_hash: inputManifestHash,
    sink,
    job_name: jobName,
    input,
  };
  return `${JSON.stringify(fields, null, 2)}\n`;
}

function decodeClaim(text: string, path: string): OutputClaim {
  let value: unknown = null;
  try {
    value = JSON.parse(text);
  } catch {
    // Said below, like anything else that is not a claim.
  }
  if (typeof value === 'object' && value !== null) {
    const fields = value as Record<string, unknown>;
    const { schema_version: version, job_id: id, input_manifest_hash: hash, sink } = fields;
    const known = version === 1 && typeof id === 'string' && isId(id) && typeof sink === 'string';
    if (known && typeof hash === 'string' && isManifestHash(hash)) {
      const { job_name: name, input } = fields;
      return {
        jobId: jobId(id),
        inputManifestHash: hash,
        sink,
        jobName: typeof name === 'string' ? name : null,
        input: typeof input === 'string' ? input : null,
      };
    }
  }
  const message = `${path} does not say which job the output folder belongs to; expected job_id, input_manifest_hash and sink`;
  throw new Mx8Error('output_occupied', message, { path });
}

function checkSame(out: string, theirs: OutputClaim, ours: OutputClaim): void {
  const facts: readonly (readonly [string, string, string])[] = [
    ['job', theirs.jobId, ours.jobId],
    ['input manifest', theirs.inputManifestHash, ours.inputManifestHash],
    ['sink', theirs.sink, ours.sink],
  ];
  for (const [what, has, wants] of facts) {
    if (has === wants) continue;
    const message = `output folder ${out} holds the output of ${what} ${has}, not of ${wants}; choose another --out`;
    throw new Mx8Error('output_occupied', message, { path: out, job_id: theirs.jobId });
  }
}

function foreign(out: string, example: string): Mx8Error {
  const message = `output folder ${out} holds files that no MX8 job wrote, such as ${example}; choose another --out or an empty folder`;
  return new Mx8Error('output_occupied', message, { path: out });
}

function checkLocal(out: string): void {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(out)) return;
  const message = `outputs are written to a local folder, not to ${out}`;
  throw new Mx8Error('scheme_unsupported', message, { path: out });
}

async function firstEntry(out: string): Promise<string | null> {
  try {
    const names = await readdir(out);
    names.sort();
    return names.find((name) => name !== '_mx8') ?? (await firstOfMeta(out, names));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw outputError(error, 'read', out);
  }
}

/** An `_mx8` with nothing in it is what a claim that was cut short leaves behind. */
async function firstOfMeta(out: string, names: readonly string[]): Promise<string | null> {
  if (names.length === 0) return null;
  const inside = await readdir(metaFolder(out));
  const whole = inside.filter((name) => !name.startsWith(SCRATCH_PREFIX));
  return whole[0] === undefined ? null : `_mx8/${whole[0]}`;
}
