// Bodies of requests: unknown values to those of the contract, or bad-input.
import { FairleadError } from '../model/error.ts';
import type { LiftRequest, OverrideRequest } from './contract.ts';

const mostWeight = 2147483647;
const mostCharacters = 1000;

export function parseOverride(body: unknown): OverrideRequest {
  const { state, untilMs, weight, who, why, ...others } = toObject(body);
  refuseOthers(others);
  if (state !== undefined && state !== 'quiesced' && state !== 'draining') throw wrong('state', 'quiesced or draining');
  if ((state === undefined) === (weight === undefined)) throw wrong('', 'either a state or a weight');
  if (untilMs !== undefined && state !== 'draining') throw wrong('untilMs', 'one beside state draining only');
  return {
    ...(state !== undefined && { state }),
    ...(untilMs !== undefined && { untilMs: toInteger('untilMs', untilMs, Number.MAX_SAFE_INTEGER) }),
    ...(weight !== undefined && { weight: toInteger('weight', weight, mostWeight) }),
    ...parseLift({ who, why }),
  };
}

export function parseLift(body: unknown): LiftRequest {
  const { who, why, ...others } = toObject(body);
  refuseOthers(others);
  return { who: toText('who', who), why: toText('why', why) };
}

function toObject(body: unknown): Readonly<Record<string, unknown>> {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return { ...body };
  throw wrong('', 'an object');
}

function refuseOthers(others: object): void {
  const [name] = Object.keys(others);
  if (name !== undefined) throw new FairleadError('bad-input', `there is no member ${JSON.stringify(name)}`);
}

function toInteger(name: string, value: unknown, most: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most) return value;
  throw wrong(name, `a number from 0 to ${most}`);
}

function toText(name: string, value: unknown): string {
  if (typeof value === 'string' && value.length <= mostCharacters) return value;
  throw wrong(name, `a text of up to ${mostCharacters} characters`);
}

function wrong(name: string, expected: string): FairleadError {
  return new FairleadError('bad-input', `${name === '' ? '' : `${name}: `}expected ${expected}`);
}
