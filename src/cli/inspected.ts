import type { ErrorContext } from './report.js'

/** Where an `inspect` puts what it finds. */
export interface Inspected {
  add(found: object): void
  /** When all has been found. */
  end(): void
}

/**
 * What was found as one JSON array, or by a template as it comes. A number for a template that is none, which has then been said: the exit code.
 */
export async function inspectedAs(format: unknown, context: Omit<ErrorContext, 'parser'>): Promise<Inspected | number> {
  if (format !== undefined && format !== '' && format !== 'json') {
    const { inspectTemplate, TEMPLATE_EXIT_CODE } = await import('./inspect-template.js')
    const template = inspectTemplate(String(format), context)
    if (template === null) return TEMPLATE_EXIT_CODE
    return { add: (found) => process.stdout.write(template(found)), end: () => {} }
  }
  const all: object[] = []
  return {
    add: (found) => all.push(found),
    end: () => process.stdout.write(`${JSON.stringify(all, null, format === 'json' ? 0 : 4)}\n`),
  }
}
