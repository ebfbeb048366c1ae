/**
 * What the lake tells while it works. Of each S3 request, below the SDK's retries: one call for every
 * attempt that went over the wire, so that a throttled request that was tried three times counts as
 * three. What a thread hears crosses to the one above as notes, plain data.
 */

export interface RequestObservation {
  /** The S3 operation, as `GetObject`: a bounded set. */
  readonly operation: string;
  /** The HTTP status, or `error` where no answer came. */
  readonly status: string;
  /** Seconds from sending to the answer's headers. */
  readonly seconds: number;
  /** Bytes of the bodies: sent, and promised by the answer's Content-Length. */
  readonly bytesOut: number;
  readonly bytesIn: number;
}

export interface LakeObserver {
  request(observation: RequestObservation): void;
  /** A conditional write that met another writer; `operation` is `create` or `replace`. */
  conflict(operation: string): void;
  /** An operation of the lake that failed and will be tried again after `sleepSeconds`. */
  retry(operation: string, sleepSeconds: number): void;
}

export const silentObserver: LakeObserver = { request() {}, conflict() {}, retry() {} };

export type LakeNote =
  | { readonly kind: 'requests'; readonly requests: readonly RequestObservation[] }
  | { readonly kind: 'conflict'; readonly operation: string }
  | { readonly kind: 'retry'; readonly operation: string; readonly sleepSeconds: number };

/** Tells an observer what a note says. */
export function tell(observer: LakeObserver, note: LakeNote): void {
  if (note.kind === 'conflict') observer.conflict(note.operation);
  else if (note.kind === 'retry') observer.retry(note.operation, note.sleepSeconds);
  else for (const request of note.requests) observer.request(request);
}

/** An observer that keeps what it is told, until it is taken. */
export function noteTaker(): { readonly observer: LakeObserver; take(): LakeNote[] } {
  let notes: LakeNote[] = [];
  let requests: RequestObservation[] = [];
  return {
    observer: {
      request: (observation) => void requests.push(observation),
      conflict: (operation) => void notes.push({ kind: 'conflict', operation }),
      retry: (operation, sleepSeconds) => void notes.push({ kind: 'retry', operation, sleepSeconds }),
    },
    take() {
      const taken: LakeNote[] = requests.length === 0 ? notes : [{ kind: 'requests', requests }, ...notes];
      notes = [];
      requests = [];
      return taken;
    },
  };
}
