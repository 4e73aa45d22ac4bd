"""Services: started before the tasks that need them, probed, and ended after those."""
