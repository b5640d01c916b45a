/** Door `mx8/agent`: a node that works on a job's leases. */
export type { AgentOptions, DeliverOptions } from './options.ts';
export { startAgent, type AgentHandle, type AgentOutcome } from './start-agent.ts';
