#include "clean.h"

#include <pthread.h>
#include <string.h>

#include "vault.h"

#define PAGE GODWIT_VAULT_PAGE

/*
 * Pages of other kinds begin with the number of a page, or hold nothing. Up to this size its first byte is 0 or 1,
 * which no page of a B-tree begins with. Databases are made without the maps of auto_vacuum.
 */
static const sqlite3_int64 size_max = (sqlite3_int64)1 << 36;

static unsigned number_at(const uint8_t *bytes) { return (unsigned)bytes[0] << 8 | bytes[1]; }

void godwit_clean_page(uint8_t *page, sqlite3_int64 offset, sqlite3_int64 size) {
    /* The database's own head stands on its first page. */
    const unsigned start = offset == 0 ? 100 : 0;
    unsigned head;
    if (offset >= size_max || size > size_max) return;
    switch (page[start]) {
    case 2: case 5: head = 12; break;
    case 10: case 13: head = 8; break;
    default: return;
    }
    const unsigned pointers = start + head + 2 * number_at(page + start + 3);
    const unsigned cells = number_at(page + start + 5);
    if (pointers < cells && cells <= PAGE) memset(page + pointers, 0, cells - pointers);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static const sqlite3_io_methods *system_methods;
static sqlite3_io_methods cleaning_methods;

static int write_clean(sqlite3_file *file, const void *buffer, int count, sqlite3_int64 offset) {
    uint8_t page[PAGE];
    sqlite3_int64 size = 0;
    if (count != PAGE || offset % PAGE != 0 || system_methods->xFileSize(file, &size) != SQLITE_OK)
        return system_methods->xWrite(file, buffer, count, offset);
    memcpy(page, buffer, PAGE);
    godwit_clean_page(page, offset, size);
    return system_methods->xWrite(file, page, PAGE, offset);
}

void godwit_clean_writes(sqlite3_file *file) {
    pthread_mutex_lock(&mutex);
    if (system_methods == NULL) {
        system_methods = file->pMethods;
        cleaning_methods = *system_methods;
        cleaning_methods.xWrite = write_clean;
    }
    pthread_mutex_unlock(&mutex);
    /* The system has others for file systems of another kind; those stay as they are. */
    if (file->pMethods == system_methods) file->pMethods = &cleaning_methods;
}
