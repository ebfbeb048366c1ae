/**
 * AWS's permissions as far as the worker's policy needs them: which action a call is, on which resource,
 * and which statements of a policy allow it. Allowing statements with wildcards, no conditions, no denials;
 * a policy that has more is refused, not misread.
 */

import { readFileSync } from 'node:fs';
import type { LocalRequest } from '../../src/local/request-hooks.ts';

export interface Statement {
  readonly Sid: string;
  readonly Effect: string;
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
}

export interface Permission {
  readonly action: string;
  readonly resource: string;
}

/** The worker's policy, with the names that it has as examples. */
export const POLICY_FILE = new URL('../../docs/iam-policy.json', import.meta.url);

/** The action that a call needs, where it has not the call's own name. */
const S3_ACTIONS: Readonly<Record<string, string>> = {
  HeadBucket: 's3:ListBucket',
  ListObjectsV2: 's3:ListBucket',
  GetObject: 's3:GetObject',
  HeadObject: 's3:GetObject',
  PutObject: 's3:PutObject',
  CreateMultipartUpload: 's3:PutObject',
  UploadPart: 's3:PutObject',
  CompleteMultipartUpload: 's3:PutObject',
  AbortMultipartUpload: 's3:AbortMultipartUpload',
  DeleteObject: 's3:DeleteObject',
};

/** The action of a call, as `s3:GetObject`; throws for a call of S3 that is not known here. */
export function actionOf(service: 's3' | 'sqs' | 'sns', operation: string): string {
  if (service !== 's3') return `${service}:${operation}`;
  const action = S3_ACTIONS[operation];
  if (action === undefined) throw new Error(`no permission is known for ${operation}`);
  return action;
}

/** The permission that a request to the embedded AWS needs. */
export function permissionOf({ service, operation, bucket, key, body }: LocalRequest): Permission {
  const action = actionOf(service, operation);
  if (service === 's3') {
    const ofBucket = action === 's3:ListBucket';
    return { action, resource: `arn:aws:s3:::${bucket}${ofBucket ? '' : `/${key}`}` };
  }
  if (service === 'sns') return { action, resource: String(body?.topicArn) };
  const name = String(body?.queueUrl).split('/').at(-1);
  return { action, resource: `arn:aws:sqs:us-east-1:000000000000:${name}` };
}

export function readPolicy(): readonly Statement[] {
  const { Statement: statements } = JSON.parse(readFileSync(POLICY_FILE, 'utf8')) as {
    Statement: readonly Statement[];
  };
  for (const statement of statements) {
    const fields = Object.keys(statement).toSorted().join();
    if (fields !== 'Action,Effect,Resource,Sid' || statement.Effect !== 'Allow') {
      throw new Error(`the evaluator does not know all of ${JSON.stringify(statement)}`);
    }
  }
  return statements;
}

function fits(pattern: string, text: string): boolean {
  const parts = pattern.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(text);
}

/** The statements that allow it; none: it is denied. */
export function allowing(policy: readonly Statement[], { action, resource }: Permission): Statement[] {
  return policy.filter(({ Action, Resource }) => {
    return Action.some((one) => fits(one, action)) && Resource.some((one) => fits(one, resource));
  });
}
