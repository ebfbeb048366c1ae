/** What the worker tells of messages, for metrics. All words are bounded. */

export interface WorkerObserver {
  received(type: string): void;
  started(type: string): void;
  /** `outcome` is the handler's word, or `answered`, `failed`, `retry`, `exhausted`, `lease_lost`, `shutdown`. */
  finished(type: string, outcome: string, seconds: number): void;
  rejected(reason: string): void;
  retry(operation: string, sleepSeconds: number): void;
  published(type: string): void;
}
