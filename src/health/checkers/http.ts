// Does it answer a request as it should? By http or https.
import { type ClientRequest, type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { formatAddress } from '../../model/address.ts';
import type { HttpCheck, Target } from '../check.ts';
import { mismatch } from '../match.ts';
import { abortion, explain } from '../reason.ts';
import { down, type Finding, up } from '../verdict.ts';

/** Of a body; what comes after is not looked at. */
const mostBytes = 1024 * 1024;

export function checkHttp(target: Target, check: HttpCheck, signal: AbortSignal): Promise<Finding> {
  return new Promise((resolve) => {
    let request: ClientRequest | undefined;
    const settle = (finding: Finding): void => {
      signal.removeEventListener('abort', onAbort);
      request?.destroy();
      resolve(finding);
    };
    const onAbort = (): void => settle(down(abortion(signal)));
    signal.addEventListener('abort', onAbort);
    request = ask(target, check);
    request.on('error', (error) => settle(down(explain(error))));
    request.on('response', (response) => judge(response, check, settle));
    request.end();
  });
}

function ask({ address, port }: Target, check: HttpCheck): ClientRequest {
  const host = formatAddress(address);
  const headers: Record<string, string> = { Connection: 'close', 'User-Agent': 'fairlead', ...check.headers };
  if (check.host !== undefined) headers.Host = check.host;
  const options: RequestOptions = { host, port, method: check.method, path: check.path, headers, agent: false };
  if (check.type === 'http') return requestHttp(options);
  const { name = check.host?.replace(/:\d+$/, ''), isVerified = false, authorities } = check.tls ?? {};
  return requestHttps({
    ...options,
    rejectUnauthorized: isVerified,
    ...(name !== undefined && { servername: name }),
    ...(authorities !== undefined && { ca: authorities }),
  });
}

function judge(response: IncomingMessage, check: HttpCheck, settle: (finding: Finding) => void): void {
  const { statusCode: status = 0 } = response;
  const { body } = check;
  if (!check.statuses.some(([from, to]) => status >= from && status <= to)) {
    settle(down(`status ${status}, expected ${formatStatuses(check.statuses)}`));
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

function formatStatuses(statuses: HttpCheck['statuses']): string {
  return statuses.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(', ');
}
