/* git/fsck.h - findings of git's check that old, honest histories have: they only warn.  Private to the folder.
 *
 * git index-pack --strict refuses an object for each of its findings.  These few exist in
 * repositories that everyone uses (written by early tools), are harmless to readers, and are let
 * through by the large hosts too.  Everything else refuses: names in trees, .gitmodules,
 * duplicate and unsorted entries, missing headers.
 */
#ifndef GUTS_GIT_FSCK_H
#define GUTS_GIT_FSCK_H

#define GUTS_FSCK_STRICT \
	"--strict=" \
	"badTimezone=warn," \
	"missingSpaceBeforeDate=warn," \
	"zeroPaddedFilemode=warn"

#endif
