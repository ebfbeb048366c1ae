/** Staying up after a demo: endpoints, sample requests, and events as they arrive, until a signal comes. */

import { join, relative } from 'node:path';
import { SNSClient, SubscribeCommand } from '@aws-sdk/client-sns';
import { CreateQueueCommand, GetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { eventLine } from '../cli/event-line.ts';
import { announceDemo, EVENTS_QUEUE } from '../cli/state-directory.ts';
import { LOCAL_REGION } from '../local/resources.ts';
import { type SampleRequest, writeSamples } from './sample-request.ts';
import { fact, INDENT, remark, section } from './script.ts';
import type { Stage } from './stage.ts';

const FOLLOWERS = 'tidemill-followed-events';

/** A second queue on the topic, for `tidemill send --follow`: the demo itself empties the first. */
async function openFollowersQueue({ queue, aws }: Stage): Promise<string> {
  const { QueueUrl = '' } = await queue.client.send(new CreateQueueCommand({ QueueName: FOLLOWERS }));
  const found = await queue.client.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }),
  );
  const sns = new SNSClient({ region: LOCAL_REGION });
  const { eventsTopicArn: TopicArn } = aws.resources;
  const Endpoint = found.Attributes?.QueueArn;
  try {
    await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint }));
  } finally {
    sns.destroy();
  }
  return QueueUrl;
}

function tellEndpoints({ terminal, aws, worker, bucket, logFile, directory }: Stage): void {
  const { requestQueueUrl, eventsTopicArn } = aws.resources;
  section(terminal, 'Still running; Ctrl-C ends it');
  fact(terminal, 'AWS endpoint', aws.endpoint);
  fact(terminal, 'requests', requestQueueUrl);
  fact(terminal, 'events', eventsTopicArn);
  fact(terminal, 'bucket', `s3://${bucket}`);
  fact(terminal, 'metrics', `${worker.sidePort}/metrics`);
  fact(terminal, 'worker log', relative('.', logFile));
  fact(
    terminal,
    'settings',
    `${relative('.', join(directory, 'demo.env'))} (all of these, for any AWS SDK or CLI)`,
  );
}

function tellSamples({ terminal, directory }: Stage, samples: readonly SampleRequest[]): void {
  const paths = writeSamples(join(directory, 'requests'), samples);
  section(terminal, 'Requests to send, from another terminal in this directory');
  samples.forEach(({ about }, i) => {
    if (i > 0) terminal.line();
    remark(terminal, about);
    terminal.line(
      `${INDENT}${terminal.paint('strong', `npx tidemill send --follow ${relative('.', paths[i]!)}`)}`,
    );
  });
  terminal.line();
  remark(terminal, 'They are files: change the expression and the runId, and send your own.');
}

/** Never resolves; rejects with the reason when the stage's signal aborts. */
export async function keepUp(stage: Stage, samples: readonly SampleRequest[]): Promise<void> {
  const { terminal, aws, bucket, signal, directory } = stage;
  const followers = await openFollowersQueue(stage);
  signal.throwIfAborted();
  const forget = announceDemo(directory, {
    ...aws.environment,
    AWS_S3_BUCKET: bucket,
    [EVENTS_QUEUE]: followers,
  });
  const deaf = stage.events.listen((event) => terminal.line(eventLine(terminal, event, INDENT, true)));
  process.once('exit', forget);
  try {
    tellEndpoints(stage);
    tellSamples(stage, samples);
    section(terminal, 'Events, as they arrive');
    await new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  } finally {
    deaf();
    forget();
    process.off('exit', forget);
  }
}
