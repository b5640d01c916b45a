/** The door `mx8/testing`: what helps to test jobs and programs around a coordinator. */
export { FakeClock } from './fake-clock.ts';
export { seededRandom } from './seeded-random.ts';
export { type RecordedEvent, RecordingEvents } from './recording-events.ts';
export { MemoryManifestStore } from './memory-manifest-store.ts';
export {
  startTestCoordinator,
  TEST_CAPS,
  type TestCoordinator,
  type TestCoordinatorOptions,
  testSpec,
} from './test-coordinator.ts';
