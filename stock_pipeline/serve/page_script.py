"What `streamlit run` starts; written by hand, see the notebook on the page as a process."
from stock_pipeline.serve.dashboard import main

main()
