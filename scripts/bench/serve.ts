/** A program of a benchmark, from its own side: answers what {@link Child} asks, and ends when that has gone. */

/** What a program can be asked for, by name. */
export type Actions = Readonly<Record<string, (args: never) => unknown>>

interface Request {
  id: number
  action: string
  args: never
}

/** The options that the program was started with. */
export function programOptions<Options>(): Options {
  return JSON.parse(process.argv[2] ?? '{}') as Options
}

/** Answers requests from now on. */
export function serve(actions: Actions): void {
  process.once('disconnect', () => process.exit())
  process.on('message', (request: Request) => void answer(actions, request))
}

async function answer(actions: Actions, { id, action, args }: Request): Promise<void> {
  try {
    const act = actions[action]
    if (act === undefined) throw new TypeError(`${action} is no action of this program`)
    const result = await act(args)
    process.send?.({ id, result })
  } catch (error) {
    process.send?.({ id, error: (error as Error).stack ?? String(error) })
  }
}
