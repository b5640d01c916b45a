/** Measures calls: how long each took and how it ended. */
export interface RpcMeter {
  /** A call of `method` began; call the answer once with `ok` or the error code when it has ended. */
  started(method: string): (code: string) => void;
}
