/**
 * wolffia: runs OCI images without root and without a daemon, behind a wall you choose.
 *
 * @packageDocumentation
 */
export type { Container, ContainerImage, ContainerStatus, ContainerSummary } from './container/container.js'
export type { Containers, CreateOptions } from './engine/containers.js'
export { type Diagnosis, Engine, type EngineOptions, type Finding, type VersionReport } from './engine/engine.js'
export type { ImageDetails, ImagePlatform, ImageProcess, ImageSummary, Images, ImportOptions } from './engine/images.js'
export { EngineError, type EngineErrorOptions, type ErrorCode } from './errors.js'
