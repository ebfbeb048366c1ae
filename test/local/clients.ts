/** Real SDK clients for an embedded AWS, without retries, and the promise of an error's name and status. */

import { S3Client } from '@aws-sdk/client-s3';
import { SNSClient } from '@aws-sdk/client-sns';
import { SQSClient } from '@aws-sdk/client-sqs';
import { LOCAL_CREDENTIALS, LOCAL_REGION } from '../../src/local/resources.ts';

export interface Clients {
  readonly s3: S3Client;
  readonly sqs: SQSClient;
  readonly sns: SNSClient;
  destroy(): void;
}

export function clientsOf(endpoint: string): Clients {
  const settings = { endpoint, region: LOCAL_REGION, credentials: LOCAL_CREDENTIALS, maxAttempts: 1 };
  const s3 = new S3Client({ ...settings, forcePathStyle: true });
  const sqs = new SQSClient(settings);
  const sns = new SNSClient(settings);
  return {
    s3,
    sqs,
    sns,
    destroy() {
      for (const client of [s3, sqs, sns]) client.destroy();
    },
  };
}

/** `Name 412` of what a call failed with; fails itself when the call succeeds. */
export async function failureOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    const { name, $metadata } = error as { name: string; $metadata?: { httpStatusCode?: number } };
    return $metadata?.httpStatusCode === undefined ? name : `${name} ${$metadata.httpStatusCode}`;
  }
  throw new Error('the call succeeded');
}
