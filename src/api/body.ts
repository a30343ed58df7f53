// Bodies and parameters of requests: what was sent as what the contract says, or bad-input; and how answers are written.
import type { Context } from 'hono';
import type { z } from 'zod';
import { describeIssue } from '../config/explain.ts';
import { FairleadError } from '../model/error.ts';

/** More than any configuration has: 100,000 destinations are 10 MB. */
const mostBytes = 64 * 1024 * 1024;

export async function readJson<Value>(context: Context, schema: z.ZodType<Value>): Promise<Value> {
  const bytes = await readBytes(context);
  const parsed = schema.safeParse(fromJson(bytes), { error: describeIssue, reportInput: true });
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

/** Between whoever looked and now. */
export function expectTag(context: Context, tag: string): void {
  const wanted = context.req.header('If-Match');
  if (wanted === undefined || wanted.trim() === '*') return;
  if (wanted.split(',').some((one) => one.trim() === tag)) return;
  throw new FairleadError('changed', `somebody has changed it meanwhile: expected ${wanted}, it is ${tag}`, {
    hint: 'read it again',
  });
}

export const json = { 'Content-Type': 'application/json' } as const;

/** Counters are larger than numbers may be. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? Number(one) : one));
}

type Defined<Value> = { [Key in keyof Value]: Exclude<Value[Key], undefined> };

export function withoutUndefined<Value extends object>(value: Value): Defined<Value> {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as Defined<Value>;
}

function fromJson(bytes: Buffer): unknown {
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
