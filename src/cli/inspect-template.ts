import { parseTemplate, type Template } from './go-template.js'
import { runTemplate } from './go-template-run.js'
import { printable } from './output.js'
import { type ErrorContext, report } from './report.js'

/** Where docker's types have a map and not a struct: a key that is missing is no mistake there. */
const MAPS = new Set<string>([
  ...([
    'Annotations',
    'Attributes',
    'DriverOpts',
    'ExposedPorts',
    'Labels',
    'Networks',
    'Options',
    'PortBindings',
    'Ports',
    'StorageOpt',
  ] as const),
  ...(['Sysctls', 'Tmpfs', 'Volumes'] as const),
])

/** Docker's exit code for a template that cannot be read (EX_USAGE of sysexits.h). */
export const TEMPLATE_EXIT_CODE = 64

/** Reads the template of an `inspect`; null when it is none, which has then been said. */
export function inspectTemplate(format: string, context: Omit<ErrorContext, 'parser'>): ((inspected: object) => string) | null {
  let template: Template
  try {
    template = parseTemplate(format)
  } catch (error) {
    report(error, { ...context, parser: null })
    return null
  }
  // Into a pipe a value goes as it is; a terminal it may not steer.
  const shown = process.stdout.isTTY ? withoutControl : (text: string) => text
  return (inspected) => `${runTemplate(template, templateData(inspected), { shown })}
`
}

/** JSON as a template sees it: maps where docker has maps. */
export function templateData(value: unknown, name = ''): unknown {
  if (Array.isArray(value)) return value.map((element) => templateData(element))
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .map(([key, member]): [string, unknown] => [key, templateData(member, key)])
  return MAPS.has(name) ? new Map(members) : Object.fromEntries(members)
}

function withoutControl(text: string): string {
  return text.replace(/[^\n\t]+/g, printable)
}
