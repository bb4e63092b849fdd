/** Entry of one measuring process: a task comes in as JSON on the command line, its values go out on stdout. */
import { measure, type Task } from './tasks.ts';

const task = JSON.parse(process.argv[2] ?? '') as Task;
process.stdout.write(JSON.stringify(await measure(task)));
