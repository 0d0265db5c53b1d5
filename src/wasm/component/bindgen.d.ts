/** The part of jco's transpiler that is used here (`obj/js-component-bindgen-component.d.ts` of `@bytecodealliance/jco`). */
export interface GenerateOptions {
  readonly name: string
  readonly noTypescript: boolean
  readonly instantiation: { readonly tag: 'sync' | 'async' }
  readonly importBindings: { readonly tag: 'js' }
  readonly noNodejsCompat: boolean
  readonly tlaCompat: boolean
  readonly base64Cutoff: number
  readonly noNamespacedExports: boolean
  readonly validLiftingOptimization: boolean
}

/** Throws what is wrong with the component. */
export function generate(
  component: Uint8Array,
  options: GenerateOptions,
): { readonly files: readonly (readonly [name: string, bytes: Uint8Array])[] }

/** Once it is settled, `generate` may be called. */
export const $init: Promise<void>
