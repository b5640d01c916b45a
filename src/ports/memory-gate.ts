/** Says whether the process has memory to spare for reading ahead. */
export interface MemoryGate {
  /** Looks now; cheap. False: begin nothing new while something is in hand. */
  mayAdmit(): boolean;
  /** Calls `listener` whenever the answer may have changed. Returns what ends that. */
  subscribe(listener: () => void): () => void;
}
