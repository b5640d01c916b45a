/** `mx8 verify` of what lies in a store, in one process. */
import { nodeClock } from '../../src/platform/clock.ts';
import { nodeRandom } from '../../src/platform/random.ts';
import type { FormatChoice } from '../../src/core/format/format-name.ts';
import { FsManifestStore, verify, type VerifyResult } from '../../src/snapshots/index.ts';
import { RecordingEvents } from '../../src/testing/index.ts';
import type { ObjectOutputs } from './object-outputs.ts';
import type { TemporaryFolder } from './temporary-folder.ts';

/** With manifests in the folder `manifests` of `folder`. */
export function verified(
  { places }: Pick<ObjectOutputs, 'places'>,
  link: string,
  folder: TemporaryFolder,
  how: { readonly format?: FormatChoice } = {},
): Promise<VerifyResult> {
  const events = new RecordingEvents();
  const [clock, random] = [nodeClock(), nodeRandom()];
  const store = new FsManifestStore({ root: folder.join('manifests'), clock, random, events });
  return verify(link, { store, clock, events, places, ...how });
}
