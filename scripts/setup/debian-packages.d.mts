/** Says why packages cannot be installed here, or nothing if they can. */
export function installObstacle(): string | undefined

/** Installs Debian packages; returns what apt-get said if it failed. */
export function installPackages(packages: readonly string[]): string | undefined
