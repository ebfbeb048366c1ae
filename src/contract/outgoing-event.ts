/** An event on its way to SNS, of whatever feature: its body, and how a topic is to route and order it. */

export type EventKind = 'started' | 'heartbeat' | 'completed';

export interface OutgoingEvent {
  /** Decides the topic. */
  readonly kind: EventKind;
  /** The feature whose topics are used, as `metric_run`. */
  readonly family: string;
  readonly body: Readonly<Record<string, unknown>> & { readonly type: string };
  /** Message attributes beside `type`, for filter policies; empty values are left out. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Message group on a FIFO topic: the run or request id. */
  readonly groupId: string;
  /** What makes this event one event on a FIFO topic; heartbeats need one for each beat. */
  readonly deduplicationId: string;
}
