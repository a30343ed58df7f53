// The plan of each LVS type.
import type { LabType, Plan } from '../plan.ts';
import { drPlan } from './dr.ts';
import { fullnatPlan } from './fullnat.ts';
import { natPlan } from './nat.ts';
import { tunPlan } from './tun.ts';

export const plans: Readonly<Record<LabType, Plan>> = { nat: natPlan, dr: drPlan, tun: tunPlan, fullnat: fullnatPlan };
