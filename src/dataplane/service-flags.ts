// struct service's flags, and what of a service's settings they and its other words hold.
import { equalAddresses } from '../model/address.ts';
import { schedulerFlagBits, schedulerFlagNames } from '../model/scheduler-flags.ts';
import {
  type Destination,
  type Persistence,
  type Scheduler,
  type Service,
  type UoaMode,
  uoaModes,
} from '../model/service.ts';
import type { Numbers } from './vocabulary.ts';

export type FlagNumbers = Pick<
  Numbers,
  | 'SERVICE_PERSISTENT'
  | 'SERVICE_ONE_PACKET'
  | 'SERVICE_THRESHOLDS'
  | 'SERVICE_FLAG_1'
  | 'SERVICE_CALL_ID'
  | 'SERVICE_RESCHEDULES'
  | 'SERVICE_RESETS'
  | 'SERVICE_UOA_SHIFT'
  | 'SERVICE_UOA_MASK'
  | 'SERVICE_MSS_SHIFT'
  | 'MSS_OF_PATH'
  | 'UOA_NONE'
  | 'UOA_OPTION'
  | 'UOA_HEADER'
>;

/** The settings of a service that the packet path reads beside its scheduler. */
export interface ServiceSettings {
  readonly flags: number;
  readonly persistence: Persistence | undefined;
}

export function settingsOf(service: Service, numbers: FlagNumbers): ServiceSettings {
  const { persistence, onePacket, persistenceEngine, schedulerFlags, onRemove, destinations } = service;
  const flags =
    (persistence === undefined ? 0 : numbers.SERVICE_PERSISTENT) |
    (onePacket ? numbers.SERVICE_ONE_PACKET : 0) |
    (persistenceEngine === undefined ? 0 : numbers.SERVICE_CALL_ID) |
    (destinations.some(hasThreshold) ? numbers.SERVICE_THRESHOLDS : 0) |
    (onRemove === 'reschedule' ? numbers.SERVICE_RESCHEDULES : 0) |
    (onRemove === 'reset' ? numbers.SERVICE_RESETS : 0) |
    (schedulerFlagBits(schedulerFlags) * numbers.SERVICE_FLAG_1) |
    (uoaNumber(service, numbers) << numbers.SERVICE_UOA_SHIFT) |
    (mssNumber(service, numbers) << numbers.SERVICE_MSS_SHIFT);
  return { flags: flags >>> 0, persistence };
}

/** What is not set is left out. */
export function serviceOf(
  scheduler: Scheduler,
  { flags, persistence }: ServiceSettings,
  numbers: FlagNumbers,
): Pick<
  Service,
  'persistence' | 'onePacket' | 'persistenceEngine' | 'mssClamp' | 'uoa' | 'onRemove' | 'schedulerFlags'
> {
  const uoa = uoaModeOf((flags >>> numbers.SERVICE_UOA_SHIFT) & numbers.SERVICE_UOA_MASK, numbers);
  const mss = flags >>> numbers.SERVICE_MSS_SHIFT;
  const schedulerFlags = schedulerFlagNames(scheduler, Math.floor(flags / numbers.SERVICE_FLAG_1) & 7);
  return {
    ...(schedulerFlags.length === 0 ? {} : { schedulerFlags }),
    ...(persistence === undefined ? {} : { persistence }),
    ...(flags & numbers.SERVICE_ONE_PACKET ? { onePacket: true } : {}),
    ...(flags & numbers.SERVICE_CALL_ID ? { persistenceEngine: 'sip' } : {}),
    ...(flags & numbers.SERVICE_RESCHEDULES ? { onRemove: 'reschedule' } : {}),
    ...(flags & numbers.SERVICE_RESETS ? { onRemove: 'reset' } : {}),
    ...(uoa === undefined ? {} : { uoa }),
    ...(mss === 0 ? {} : { mssClamp: mss === numbers.MSS_OF_PATH ? 'path' : mss }),
  };
}

/** What struct destination has as `mss`. */
export function mssNumber({ mssClamp = 0 }: Pick<Service, 'mssClamp'>, { MSS_OF_PATH }: FlagNumbers): number {
  return mssClamp === 'path' ? MSS_OF_PATH : mssClamp;
}

/** What struct destination has as `uoa`. */
export function uoaNumber({ uoa }: Pick<Service, 'uoa'>, numbers: FlagNumbers): number {
  const { UOA_NONE: none, UOA_OPTION: ipo, UOA_HEADER: opp } = numbers;
  return { none, ipo, opp }[uoa ?? 'none'];
}

function uoaModeOf(number: number, numbers: FlagNumbers): UoaMode | undefined {
  return uoaModes.find((uoa) => uoaNumber({ uoa }, numbers) === number);
}

export function hasSameSettings(a: Service, b: Service): boolean {
  return (
    a.scheduler === b.scheduler &&
    schedulerFlagBits(a.schedulerFlags) === schedulerFlagBits(b.schedulerFlags) &&
    (a.onePacket ?? false) === (b.onePacket ?? false) &&
    a.persistenceEngine === b.persistenceEngine &&
    a.mssClamp === b.mssClamp &&
    a.uoa === b.uoa &&
    (a.onRemove ?? 'keep') === (b.onRemove ?? 'keep') &&
    isSamePersistence(a.persistence, b.persistence)
  );
}

function hasThreshold({ upperThreshold = 0 }: Destination): boolean {
  return upperThreshold > 0;
}

function isSamePersistence(a: Persistence | undefined, b: Persistence | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.timeoutS === b.timeoutS && equalAddresses(a.mask, b.mask);
}
