/**
 * What the Temporal UI and CLI can search cohorts by. The product registers them itself, see
 * cli/temporal/search-attributes.ts. They are never encrypted, so they hold no more than the ids of workflows do.
 */
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { FAILURE_ATTRIBUTE, STUDY_ATTRIBUTE, SUBJECT_ATTRIBUTE } from '../pipeline/messages.ts';

/** Name of the study. */
export const STUDY = defineSearchAttributeKey(STUDY_ATTRIBUTE, SearchAttributeType.KEYWORD);
/** `sub-01`; absent from the cohort itself. */
export const SUBJECT = defineSearchAttributeKey(SUBJECT_ATTRIBUTE, SearchAttributeType.KEYWORD);
/** Code of the failure a subject ended with, such as INPUT_MISSING. */
export const FAILURE = defineSearchAttributeKey(FAILURE_ATTRIBUTE, SearchAttributeType.KEYWORD);

export const SEARCH_ATTRIBUTES = [STUDY, SUBJECT, FAILURE];
