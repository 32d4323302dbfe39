// What is asked about an example: the question of the project, or of several projects that share their examples.

import { page } from "./api.js";

export const questions = page.questions?.length ? page.questions : [page.project];
export const group = questions.length > 1;

// Of an item or an answer, which name their question where there are several.
export const of = (one) => questions.find((other) => other.name === one.question) ?? questions[0];
export const rootOf = (one) => (one.question ? `${page.home}/p/${one.question}` : page.root);
