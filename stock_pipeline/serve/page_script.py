"What `streamlit run` starts; written by hand, see the dashboard's notebook."
from stock_pipeline.serve.dashboard import main

main()
