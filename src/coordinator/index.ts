/** The door `mx8/coordinator`: run a coordinator inside a program of your own. */
export {
  type CoordinatorOptions,
  type CoordinatorServer,
  startCoordinator,
} from './start-coordinator.ts';
export { MemoryLog } from '../log/memory-log.ts';
export { SqliteLog } from '../log/sqlite-log.ts';
