// Failures as HTTP tells them: problems of RFC 9457.
import type { ErrorCode, FairleadError } from '../model/error.ts';
import type { Problem } from './contract.ts';

/** Of codes that are no conflict with what is there. */
const statuses: Partial<Record<ErrorCode, number>> = {
  'bad-input': 400,
  'out-of-range': 400,
  'not-supported': 400,
  'service-missing': 404,
  'destination-missing': 404,
  changed: 412,
  kernel: 500,
};

export function toProblemResponse(problem: Problem): Response {
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { 'Content-Type': 'application/problem+json' },
  });
}

export function problemOf({ code, message, hint }: FairleadError, status = statuses[code] ?? 409): Response {
  return toProblemResponse({ title: code, status, detail: message, code, ...(hint !== undefined && { hint }) });
}
