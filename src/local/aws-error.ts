/**
 * Errors in the shapes the services speak, so that the AWS SDK turns them into `err.name` and
 * `$metadata.httpStatusCode`: XML for S3 and SNS (query protocol), JSON for SQS.
 */

import { freshId } from '../common/ids.ts';

export type LocalService = 's3' | 'sqs' | 'sns';

export interface AwsError {
  readonly status: number;
  /** The service's error code, which becomes the SDK's `err.name`. */
  readonly code: string;
  readonly message: string;
  /** The path of the object, for S3. */
  readonly resource?: string | undefined;
}

export interface ErrorAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&apos;');
}

/** The answer that carries `error` in the protocol of `service`. */
export function errorAnswer(service: LocalService, error: AwsError): ErrorAnswer {
  const { status, code, message } = error;
  if (service === 'sqs') {
    const fault = status >= 500 ? 'Receiver' : 'Sender';
    return {
      status,
      headers: {
        'content-type': 'application/x-amz-json-1.0',
        'x-amzn-errortype': code,
        'x-amzn-query-error': `${code};${fault}`,
      },
      body: JSON.stringify({ __type: `com.amazonaws.sqs#${code}`, message }),
    };
  }
  const requestId = freshId().slice(0, 16).toUpperCase();
  if (service === 'sns') {
    const type = status >= 500 ? 'Receiver' : 'Sender';
    return {
      status,
      headers: { 'content-type': 'text/xml' },
      body:
        '<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">' +
        `<Error><Type>${type}</Type><Code>${escapeXml(code)}</Code><Message>${escapeXml(message)}</Message></Error>` +
        `<RequestId>${requestId}</RequestId></ErrorResponse>`,
    };
  }
  const resource = error.resource === undefined ? '' : `<Resource>${escapeXml(error.resource)}</Resource>`;
  return {
    status,
    headers: { 'content-type': 'application/xml' },
    body:
      '<?xml version="1.0" encoding="UTF-8"?>\n' +
      `<Error><Code>${escapeXml(code)}</Code><Message>${escapeXml(message)}</Message>${resource}` +
      `<RequestId>${requestId}</RequestId><HostId>tidemill-local</HostId></Error>`,
  };
}
