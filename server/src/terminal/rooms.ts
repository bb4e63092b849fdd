/** What the terminal program asks of the rooms before it. Passed in, so that its tests can put fixtures in their place. */
import { type Assessment, assess } from '../forecast/assess.ts';
import { forecast } from '../forecast/forecast.ts';
import type { ForecastOptions, Prediction } from '../forecast/types.ts';
import { allProblems, type JudgedPlan } from '../language/predictionProblems.ts';
import { type AnalysisContext, analyse } from '../plan/analyse.ts';
import type { Analysis, Plan } from '../plan/types.ts';
import type { LineIndex } from '../text/lines.ts';
import type { Problem } from '../text/types.ts';

export interface Rooms {
  readonly analyse: (text: string, context: AnalysisContext) => Promise<Analysis>;
  readonly assess: (plan: Plan) => Assessment;
  readonly forecast: (plan: Plan, options: ForecastOptions) => readonly Prediction[];
  readonly allProblems: (analysis: Analysis, text: LineIndex, judged: readonly JudgedPlan[]) => readonly Problem[];
}

/** The rooms as they are. */
export const realRooms: Rooms = { analyse, assess, forecast, allProblems };
