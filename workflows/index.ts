/** Every workflow and the names by which clients speak to them. */
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
export type { StepStatus } from './run.ts';
export { type SubjectInput, stepsQuery, subjectWorkflow } from './subject.ts';
