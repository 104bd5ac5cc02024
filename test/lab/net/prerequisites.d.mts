/** Something that the lab needs and this machine does not give. */
export interface MissingPrerequisite {
  /** The program, device or right. */
  readonly what: string
  /** The Debian package that brings it, where one does. */
  readonly debianPackage?: string
  readonly why: string
}

/** Looks for everything that the NAT lab needs. An empty list means that it can run. */
export function findMissing(): { readonly missing: readonly MissingPrerequisite[] }
