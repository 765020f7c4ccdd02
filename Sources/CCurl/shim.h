#pragma once
#include <curl/curl.h>
#include <stdint.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

// curl_easy_setopt and curl_easy_getinfo are variadic, which Swift cannot call: one shim a type.

static inline CURLcode godwit_curl_set_long(CURL *handle, CURLoption option, long value) {
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode godwit_curl_set_offset(CURL *handle, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode godwit_curl_set_string(CURL *handle, CURLoption option, const char *value) {
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode godwit_curl_set_pointer(CURL *handle, CURLoption option, void *value) {
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode godwit_curl_set_headers(CURL *handle, struct curl_slist *headers) {
    return curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
}

typedef size_t (*godwit_curl_data_function)(char *, size_t, size_t, void *);
typedef int (*godwit_curl_progress_function)(void *, curl_off_t, curl_off_t, curl_off_t, curl_off_t);
typedef int (*godwit_curl_debug_function)(CURL *, curl_infotype, char *, size_t, void *);
typedef int (*godwit_curl_seek_function)(void *, curl_off_t, int);

static inline CURLcode godwit_curl_set_write(CURL *handle, godwit_curl_data_function function, void *context) {
    CURLcode code = curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, function);
    return code != CURLE_OK ? code : curl_easy_setopt(handle, CURLOPT_WRITEDATA, context);
}

static inline CURLcode godwit_curl_set_read(CURL *handle, godwit_curl_data_function function, void *context) {
    CURLcode code = curl_easy_setopt(handle, CURLOPT_READFUNCTION, function);
    return code != CURLE_OK ? code : curl_easy_setopt(handle, CURLOPT_READDATA, context);
}

// Needed when curl sends a request again over a new connection, because the kept one had died.
static inline CURLcode godwit_curl_set_seek(CURL *handle, godwit_curl_seek_function function, void *context) {
    CURLcode code = curl_easy_setopt(handle, CURLOPT_SEEKFUNCTION, function);
    return code != CURLE_OK ? code : curl_easy_setopt(handle, CURLOPT_SEEKDATA, context);
}

static inline CURLcode godwit_curl_set_progress(
    CURL *handle, godwit_curl_progress_function function, void *context) {
    CURLcode code = curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, function);
    if (code == CURLE_OK) code = curl_easy_setopt(handle, CURLOPT_XFERINFODATA, context);
    return code != CURLE_OK ? code : curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
}

// The debug callback is the only place where curl shows every byte of a request and its answer, headers included.
static inline CURLcode godwit_curl_set_debug(CURL *handle, godwit_curl_debug_function function, void *context) {
    CURLcode code = curl_easy_setopt(handle, CURLOPT_DEBUGFUNCTION, function);
    if (code == CURLE_OK) code = curl_easy_setopt(handle, CURLOPT_DEBUGDATA, context);
    return code != CURLE_OK ? code : curl_easy_setopt(handle, CURLOPT_VERBOSE, 1L);
}

// Keeps at most `(intptr_t)context` unsent bytes in the kernel, so that what curl calls sent is nearly on the link and
// a stalled upload is noticed. A kernel that does not know the option only notices later.
static inline int godwit_curl_tune_socket(void *context, curl_socket_t socket, curlsocktype purpose) {
    (void)purpose;
    int unsent = (int)(intptr_t)context;
    (void)setsockopt(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
    return CURL_SOCKOPT_OK;
}

static inline CURLcode godwit_curl_set_unsent_max(CURL *handle, int bytes) {
    CURLcode code = curl_easy_setopt(handle, CURLOPT_SOCKOPTFUNCTION, godwit_curl_tune_socket);
    return code != CURLE_OK ? code : curl_easy_setopt(handle, CURLOPT_SOCKOPTDATA, (void *)(intptr_t)bytes);
}

static inline CURLcode godwit_curl_get_long(CURL *handle, CURLINFO info, long *value) {
    return curl_easy_getinfo(handle, info, value);
}

static inline CURLcode godwit_curl_get_offset(CURL *handle, CURLINFO info, curl_off_t *value) {
    return curl_easy_getinfo(handle, info, value);
}
