// Does it answer a request as it should? By http or https.
import { type ClientRequest, type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { connect as connectTls } from 'node:tls';
import { formatEndpoint } from '../../model/address.ts';
import type { HttpChecker, NumberRange } from '../../model/check.ts';
import { connect } from '../connection.ts';
import { mismatch } from '../expectation.ts';
import { abortion, explain } from '../reason.ts';
import type { Target } from '../target.ts';
import { tlsOptions } from '../tls.ts';
import { down, type Finding, up } from '../verdict.ts';

/** Of a body; what comes after is not looked at. */
const mostBytes = 1024 * 1024;

export function checkHttp(target: Target, checker: HttpChecker, signal: AbortSignal): Promise<Finding> {
  return new Promise((resolve) => {
    let request: ClientRequest | undefined;
    const settle = (finding: Finding): void => {
      signal.removeEventListener('abort', onAbort);
      request?.destroy();
      resolve(finding);
    };
    const onAbort = (): void => settle(down(abortion(signal)));
    signal.addEventListener('abort', onAbort);
    request = ask(target, checker);
    request.on('error', (error) => settle(down(explain(error))));
    request.on('response', (response) => judge(response, checker, settle));
    request.end();
  });
}

function ask(target: Target, checker: HttpChecker): ClientRequest {
  const host = checker.host ?? hostOf(target);
  const headers = { Host: host, Connection: 'close', 'User-Agent': 'fairlead', ...checker.headers };
  const { method, path } = checker;
  const options: RequestOptions = { method, path, headers, createConnection: () => connect(target) };
  if (checker.kind === 'http') return requestHttp(options);
  const tls = tlsOptions(checker.tls ?? { isVerified: false }, host);
  return requestHttps({ ...options, createConnection: () => connectTls({ ...tls, socket: connect(target) }) });
}

/** As clients name it. */
function hostOf({ address, port, vip = address, vport = port }: Target): string {
  return [80, 443].includes(vport) ? formatEndpoint(vip, 0).replace(/:0$/, '') : formatEndpoint(vip, vport);
}

function judge(response: IncomingMessage, checker: HttpChecker, settle: (finding: Finding) => void): void {
  const { statusCode: status = 0 } = response;
  const { body, statuses } = checker;
  if (!statuses.some(({ first, last }) => status >= first && status <= last)) {
    settle(down(`status ${status}, expected ${formatRanges(statuses)}`));
    return;
  }
  if (body === undefined) {
    settle(up(`status ${status}`));
    return;
  }
  const chunks: Buffer[] = [];
  let size = 0;
  const finish = (): void => {
    const wrong = mismatch(body, Buffer.concat(chunks).subarray(0, mostBytes));
    settle(wrong === undefined ? up(`status ${status}, and the body is right`) : down(`the body: ${wrong}`));
  };
  response.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= mostBytes) finish();
  });
  response.on('end', finish);
  response.on('error', (error) => settle(down(explain(error))));
}

function formatRanges(ranges: readonly NumberRange[]): string {
  return ranges.map(({ first, last }) => (first === last ? String(first) : `${first}-${last}`)).join(', ');
}
