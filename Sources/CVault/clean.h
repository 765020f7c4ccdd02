/* Pages without what SQLite leaves behind in them. */
#ifndef GODWIT_CLEAN_H
#define GODWIT_CLEAN_H

#include <sqlite3.h>
#include <stdint.h>

/*
 * Zeroes the unused middle of a page of a B-tree, between the cell pointers and the cells (SQLite file format, 1.6).
 * secure_delete overwrites cells that are freed; when rows go to another page, their bytes stay there.
 *
 * offset: of the page in the database, of which size bytes are there. Pages of other kinds, and all pages of a database of
 * more than 64 GiB, stay as they are.
 */
void godwit_clean_page(uint8_t *page, sqlite3_int64 offset, sqlite3_int64 size);

/* Makes a file of the system, open as a database, clean the pages that are written to it. */
void godwit_clean_writes(sqlite3_file *file);

#endif
