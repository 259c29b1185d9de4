#pragma once

namespace dunlin::agent {

// A constrained device has more use for the memory than for the last microsecond: one heap for all
// threads, and freed blocks go back. Before threads that allocate.
void keep_heap_small();

// Unmaps the code and constants that were needed up to here. What is needed again comes back from
// the page cache, page by page; the rest, such as the parsers of configuration and command line,
// stays away. Any thread, at any time.
void drop_startup_pages();

}  // namespace dunlin::agent
