// Bodies and parameters of requests: what was sent as what the contract says, or bad-input.
import type { Context } from 'hono';
import type { z } from 'zod';
import { describeIssue } from '../config/explain.ts';
import { FairleadError } from '../model/error.ts';

/** More than any configuration has: 100,000 destinations are 10 MB. */
const mostBytes = 64 * 1024 * 1024;

export async function readJson<Value>(context: Context, schema: z.ZodType<Value>): Promise<Value> {
  const bytes = await readBytes(context);
  const parsed = schema.safeParse(toJson(bytes), { error: describeIssue, reportInput: true });
  if (parsed.success) return parsed.data;
  throw new FairleadError('bad-input', parsed.error.issues.map(describeAt).join('; '));
}

export async function readBytes(context: Context): Promise<Buffer> {
  const announced = Number(context.req.header('Content-Length') ?? 0);
  const bytes = announced > mostBytes ? undefined : Buffer.from(await context.req.arrayBuffer());
  if (bytes !== undefined && bytes.length <= mostBytes) return bytes;
  throw new FairleadError('bad-input', `expected a body of up to ${mostBytes} bytes`);
}

export function readCount(context: Context): number {
  const text = context.req.query('count') ?? '50';
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new FairleadError('bad-input', `count: expected a number from 1 to 999999, got ${JSON.stringify(text)}`);
}

function toJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new FairleadError('bad-input', 'expected a body of JSON', { cause });
  }
}

function describeAt(issue: z.core.$ZodIssue): string {
  const at = issue.path.length === 0 ? '' : `${issue.path.join('.')}: `;
  if (issue.code === 'unrecognized_keys')
    return `${at}there is no member ${issue.keys.map((key) => JSON.stringify(key)).join(', ')}`;
  return `${at}${issue.message}`;
}
