/** Whose an output folder is: the claim in `_mx8/job.json`, checked before anything is written. */
import { resolve } from 'node:path';
import { Mx8Error } from '../core/base/errors.ts';
import { isId, isManifestHash, jobId, type JobId, type ManifestHash } from '../core/base/units.ts';
import type { OutputStore } from '../ports/output-store.ts';
import { LocalOutputStore } from '../storage/local-output-store.ts';
import { hashFile } from './hash-file.ts';
import { CLAIM_FILE, MANIFEST_FILE } from './output-paths.ts';

/** What makes two runs the same job as far as the output folder is concerned. */
export interface OutputClaim {
  readonly jobId: JobId;
  readonly inputManifestHash: ManifestHash;
  /** `kind` of the sink. */
  readonly sink: string;
  /** Name of the job, and its input as it was typed; null where the one who claimed did not know. */
  readonly jobName: string | null;
  readonly input: string | null;
  /** Where the job's state is, for people; null: in the output itself, or nobody said. */
  readonly state: string | null;
  /** Tells the job from others of its name; absent where the one who claimed did not know. */
  readonly jobToken?: string;
  /** SHA-256 of the job module that it was begun with; absent where the one who claimed did not say. */
  readonly codeSha256?: string;
}

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

/** A text is the path of a folder of this machine. */
export async function inspectOutput(out: OutputStore | string): Promise<OutputState> {
  const store = typeof out === 'string' ? new LocalOutputStore(resolve(out)) : out;
  const claimed = await readClaim(store);
  if (claimed !== null) return claimed;
  const example = await store.example();
  if (example === null) return { type: 'free' };
  // A claim is the first thing that is written. What is there now may have come with one since we looked.
  return (await readClaim(store)) ?? { type: 'foreign', example };
}

async function readClaim(store: OutputStore): Promise<OutputState | null> {
  const bytes = await store.read(CLAIM_FILE);
  if (bytes === null) return null;
  const claim = decodeClaim(bytes, claimName(store));
  return { type: 'job', claim, outputManifestHash: await hashFile(store, MANIFEST_FILE) };
}

/**
 * Makes the folder this job's, or finds that it is already; `output_occupied` when it is another's.
 * Safe to call from any number of processes at once. True when the job was there before.
 */
export async function claimOutput(store: OutputStore, claim: OutputClaim): Promise<boolean> {
  const state = await inspectOutput(store);
  if (state.type === 'foreign') throw foreign(store.location, state.example);
  if (state.type === 'job') {
    checkSame(store.location, state.claim, claim);
    return true;
  }
  if (await store.create(CLAIM_FILE, encodeClaim(claim))) return false;
  const other = await store.read(CLAIM_FILE);
  if (other !== null) checkSame(store.location, decodeClaim(other, claimName(store)), claim);
  return true;
}

function claimName(store: OutputStore): string {
  return `${store.location}/${CLAIM_FILE}`;
}

function encodeClaim(claim: OutputClaim): string {
  const { jobId: id, inputManifestHash, sink, jobName, input, state, jobToken, codeSha256 } = claim;
  const fields = {
    schema_version: 1,
    job_id: id,
    input_manifest_hash: inputManifestHash,
    sink,
    job_name: jobName,
    input,
    ...(state === null ? {} : { state }),
    ...(jobToken === undefined ? {} : { job_token: jobToken }),
    ...(codeSha256 === undefined ? {} : { code_sha256: codeSha256 }),
  };
  return `${JSON.stringify(fields, null, 2)}\n`;
}

function decodeClaim(bytes: Uint8Array, path: string): OutputClaim {
  let value: unknown = null;
  try {
    value = JSON.parse(Buffer.from(bytes).toString());
  } catch {
    // Said below, like anything else that is not a claim.
  }
  if (typeof value === 'object' && value !== null) {
    const fields = value as Record<string, unknown>;
    const { schema_version: version, job_id: id, input_manifest_hash: hash, sink } = fields;
    const known = version === 1 && typeof id === 'string' && isId(id) && typeof sink === 'string';
    if (known && typeof hash === 'string' && isManifestHash(hash)) {
      const { job_name: name, input, state, job_token: token, code_sha256: code } = fields;
      return {
        jobId: jobId(id),
        inputManifestHash: hash,
        sink,
        jobName: typeof name === 'string' ? name : null,
        input: typeof input === 'string' ? input : null,
        state: typeof state === 'string' ? state : null,
        ...(typeof token === 'string' ? { jobToken: token } : {}),
        ...(typeof code === 'string' ? { codeSha256: code } : {}),
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
  const [before, now] = [theirs.jobToken, ours.jobToken];
  if (before === undefined || now === undefined || before === now) return;
  const message = `output folder ${out} holds the output of another job ${ours.jobId}: its coordinator has forgotten that one, or was another; choose another --out`;
  throw new Mx8Error('output_occupied', message, { path: out, job_id: ours.jobId });
}

function foreign(out: string, example: string): Mx8Error {
  const message = `output folder ${out} holds files that no MX8 job wrote, such as ${example}; choose another --out or an empty folder`;
  return new Mx8Error('output_occupied', message, { path: out });
}
