/**
 * What the lake tells of each S3 request, below the SDK's retries: one call for every attempt that
 * went over the wire, so that a throttled request that was tried three times counts as three.
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
