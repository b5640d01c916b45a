/** What a client process is told in its first argument. */
export interface ClientSettings {
  readonly mode: 'v0' | 'v1' | 'observe' | 'final';
  readonly name: string;
  readonly addresses: readonly string[];
  /** The job that the agents work on; the others are made like it. */
  readonly mainJob: string;
  readonly jobs: readonly string[];
  readonly paceFile: string;
  /** The pace in the file is for this many samples. */
  readonly samplesPerPace: number;
}
