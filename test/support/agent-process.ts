/** One agent in a process of its own, for tests that kill it. Settings as JSON in the first argument. */
import { startAgent } from '../../src/agent/index.ts';
import { jobId, nodeId } from '../../src/core/base/units.ts';
import { nodeClock } from '../../src/platform/clock.ts';
import { nodeRandom } from '../../src/platform/random.ts';
import { GrpcCoordinatorClient } from '../../src/wire/grpc-coordinator-client.ts';
import { RecordingEvents } from '../../src/testing/index.ts';
import { CAPS } from './agent-bench.ts';

interface Settings {
  readonly coordUrl: string;
  readonly name: string;
  readonly jobFile: string;
  readonly out: string;
}

const { coordUrl, name, jobFile, out, ...changes } = JSON.parse(process.argv[2] ?? '') as Settings;
const clock = nodeClock();
const random = nodeRandom();
const client = new GrpcCoordinatorClient({ coordUrl, clock, random });
const agent = await startAgent({
  client,
  clock,
  random,
  events: new RecordingEvents(),
  jobId: jobId('job'),
  nodeId: nodeId(name),
  work: { type: 'job', jobFile, out },
  caps: CAPS,
  progressIntervalMs: 100,
  commitIntervalMs: 200,
  ...changes,
});
const outcome = await agent.done;
await client.close();
process.send?.(outcome);
process.disconnect?.();
