/** Every workflow and the names by which clients speak to them. */
export { type ArrivalsInput, type ArrivalsResult, arrivalsWorkflow } from './arrivals.ts';
export {
  type CohortInput,
  type CohortResult,
  type Controls,
  cohortWorkflow,
  controlsQuery,
  controlUpdate,
  retryUpdate,
  tableQuery,
} from './cohort.ts';
export { reviewQuery, verdictUpdate } from './gate.ts';
export type { Anew, StepStatus } from './run.ts';
export { arrivedSignal, type SubjectInput, stepsQuery, subjectWorkflow } from './subject.ts';
