/**
 * grpc-js writes what it thinks of failures to stderr, past every log. All of it reaches us as errors of
 * calls, which become sentences; so it is told to keep quiet.
 */
import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js';

export function quietGrpcLog(): void {
  setLogVerbosity(logVerbosity.NONE);
}
